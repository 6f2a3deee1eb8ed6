#include "dnn.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>

struct lv_net {
    cv::dnn::Net net;
    std::string input;
    cv::Mat blob; // our own memory: OpenCV keeps a reference to it between calls
    std::vector<cv::String> names;
    std::vector<size_t> counts;
    std::vector<cv::Mat> outputs;
};

// guarded runs f and turns whatever it throws into a message.
template <typename F>
static int guarded(char *err, size_t errlen, F f) {
    try {
        f();
        return 0;
    } catch (const std::exception &e) { // cv::Exception is one
        std::snprintf(err, errlen, "%s", e.what());
    } catch (...) {
        std::snprintf(err, errlen, "unknown C++ exception");
    }
    return -1;
}

void lv_setup(int threads) {
    char err[1];
    guarded(err, sizeof err, [&] {
        cv::setNumThreads(threads);
        // What goes wrong comes back as a message; OpenCV need not print it too.
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    });
}

lv_net *lv_net_new(const void *model, size_t len, const char *input, int width, int height, char *err, size_t errlen) {
    lv_net *net = nullptr;
    int failed = guarded(err, errlen, [&] {
        net = new lv_net;
        net->net = cv::dnn::readNetFromONNX(static_cast<const char *>(model), len);
        CV_Assert(!net->net.empty());
        net->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        net->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        net->input = input;
        const int sizes[] = {1, 3, height, width};
        net->blob.create(4, sizes, CV_32F);
    });
    if (failed) {
        delete net;
        return nullptr;
    }
    return net;
}

int lv_net_output(lv_net *net, const char *name, size_t count, char *err, size_t errlen) {
    return guarded(err, errlen, [&] {
        net->names.push_back(name);
        net->counts.push_back(count);
    });
}

int lv_net_forward(lv_net *net, const float *in, size_t inlen, float *out, size_t outlen, char *err, size_t errlen) {
    return guarded(err, errlen, [&] {
        CV_Assert(inlen == net->blob.total());
        std::memcpy(net->blob.ptr<float>(), in, inlen * sizeof(float));
        net->net.setInput(net->blob, net->input);
        net->net.forward(net->outputs, net->names);
        CV_Assert(net->outputs.size() == net->names.size());
        size_t at = 0;
        for (size_t i = 0; i < net->outputs.size(); i++) {
            const cv::Mat &m = net->outputs[i];
            CV_Assert(m.type() == CV_32F && m.isContinuous());
            CV_Assert(m.total() == net->counts[i] && at + m.total() <= outlen);
            std::memcpy(out + at, m.ptr<float>(), m.total() * sizeof(float));
            at += m.total();
        }
        CV_Assert(at == outlen);
    });
}

void lv_net_free(lv_net *net) {
    char err[1];
    guarded(err, sizeof err, [&] { delete net; });
}
