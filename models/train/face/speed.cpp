// speed prints how long OpenCV takes for one picture: the face network and
// YuNet in turns, so that both meet the same machine, with one thread and two.
//
//   g++ -O2 speed.cpp -o speed $(pkg-config --cflags opencv4) -lopencv_core -lopencv_dnn
//   ./speed models/weights/face.onnx 320 256 yunet_n_320_320.onnx 320 320

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

struct Runner {
    const char *path;
    cv::dnn::Net net;
    cv::Mat blob;
    std::vector<double> ms;

    Runner(const char *path, int width, int height) : path(path), net(cv::dnn::readNetFromONNX(path)) {
        const int sizes[] = {1, 3, height, width};
        blob.create(4, sizes, CV_32F);
        cv::randu(blob, 0, 255);
    }

    void run(const std::vector<cv::String> &names) {
        std::vector<cv::Mat> outputs;
        auto start = std::chrono::steady_clock::now();
        net.setInput(blob);
        net.forward(outputs, names);
        ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
};

int main(int argc, char **argv) {
    if (argc < 4 || argc % 3 != 1) {
        std::fprintf(stderr, "usage: %s MODEL WIDTH HEIGHT [MODEL WIDTH HEIGHT ...]\n", argv[0]);
        return 2;
    }
    std::vector<cv::String> names;
    for (const char *kind : {"cls", "obj", "bbox", "kps"})
        for (const char *stride : {"8", "16", "32"})
            names.push_back(std::string(kind) + "_" + stride);
    std::vector<Runner> runners;
    for (int i = 1; i < argc; i += 3)
        runners.emplace_back(argv[i], std::atoi(argv[i + 1]), std::atoi(argv[i + 2]));
    for (int threads = 1; threads <= 2; threads++) {
        cv::setNumThreads(threads);
        for (Runner &r : runners)
            r.ms.clear();
        for (int i = 0; i < 100; i++)
            for (Runner &r : runners)
                r.run(names);
        for (Runner &r : runners) {
            std::sort(r.ms.begin(), r.ms.end());
            std::printf("%d threads: least %.2f ms, median %.2f ms  %s\n", threads, r.ms.front(), r.ms[r.ms.size() / 2], r.path);
        }
    }
}
