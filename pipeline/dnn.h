// A network of OpenCV's DNN module behind a C interface that throws nothing:
// every C++ exception becomes a message.
#ifndef LIVENESSD_PIPELINE_DNN_H
#define LIVENESSD_PIPELINE_DNN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lv_net lv_net;

// lv_setup bounds the threads of every OpenCV call in this process and keeps
// OpenCV from writing to stderr.
void lv_setup(int threads);

// lv_net_new parses an ONNX model whose one input is 1x3xHxW. It returns NULL
// and a message in err when that fails.
lv_net *lv_net_new(const void *model, size_t len, const char *input, int width, int height, char *err, size_t errlen);

// lv_net_output adds an output of count floats to what lv_net_forward gives.
int lv_net_output(lv_net *net, const char *name, size_t count, char *err, size_t errlen);

// lv_net_forward copies in (3*height*width floats), runs the network, and
// writes all outputs to out, one after the other in the order they were added.
// 0 is success; otherwise err has a message and out is not to be used.
int lv_net_forward(lv_net *net, const float *in, size_t inlen, float *out, size_t outlen, char *err, size_t errlen);

void lv_net_free(lv_net *net);

#ifdef __cplusplus
}
#endif

#endif
