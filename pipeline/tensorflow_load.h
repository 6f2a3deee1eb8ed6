// TensorFlow's C library, found when it is first needed.
#ifndef LIVENESSD_PIPELINE_TENSORFLOW_LOAD_H
#define LIVENESSD_PIPELINE_TENSORFLOW_LOAD_H

#include <stddef.h>

// lv_tensorflow_load makes the functions that the Go package calls usable. 0 is
// success; otherwise err has a message and none of them may be called. It is
// called once.
int lv_tensorflow_load(char *err, size_t errlen);

#endif
