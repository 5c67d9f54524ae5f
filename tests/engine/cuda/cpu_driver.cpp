// libcuda on the CPU, as far as dbrt calls it: so that the real cuda-bindings, and all of dbrt above
// them, run where there is no GPU. Work given to a stream is kept until the stream or an event is
// waited for, as on a slow card; what touches a buffer too early sees it. One card, sm_89. Kernels
// are those below, by name, whatever image is loaded.

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __noinline__
struct Index {
    unsigned x, y, z;
};
static thread_local Index blockIdx, threadIdx;
static const Index blockDim = {1, 1, 1};
#include "letterbox.cu"

typedef unsigned long long Address;
typedef std::function<void()> Work;

enum {
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201, NOT_FOUND = 500, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901,
};

struct Stream {
    std::deque<Work> waiting;
    std::vector<Work> captured;
    bool is_capturing = false, is_invalid = false;
};
struct Event {
    Stream *stream = nullptr;
    bool is_done = true;
};
struct Graph {
    std::vector<Work> work;
};

static std::recursive_mutex guard;
static thread_local std::vector<void *> contexts;
static int retained = 0, allocated = 0;
static char primary;

#define LOCKED std::lock_guard<std::recursive_mutex> lock(guard)
#define CURRENT \
    if (contexts.empty()) return INVALID_CONTEXT; \
    LOCKED

static int give(Stream *stream, Work work) {
    if (stream->is_capturing)
        stream->captured.push_back(work);
    else
        stream->waiting.push_back(work);
    return SUCCESS;
}

static void run_one(Stream *stream) {
    Work work = stream->waiting.front();
    stream->waiting.pop_front();
    work();
}

static void run_letterbox(const Letterbox &p) {
    for (int row = 0; row < p.canvas_rows; row++)
        for (int column = 0; column < p.canvas_columns; column++) {
            blockIdx.y = row;
            blockIdx.x = column;
            letterbox(p);
        }
}

static void run_network(const unsigned char *canvas, unsigned char *map, int count) {
    for (int i = 0; i < count; i++)
        map[i] = canvas[3 * i + 1];
}

extern "C" {
int cuInit(unsigned) { return SUCCESS; }
int cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal ? INVALID_DEVICE : SUCCESS;
}
int cuDeviceGetName(char *name, int length, int) {
    strncpy(name, "Card on the CPU", length);
    return SUCCESS;
}
int cuDeviceGetAttribute(int *value, int which, int) {
    *value = which == 75 ? 8 : which == 76 ? 9 : 0;
    return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = 1ull << 33; return SUCCESS; }
int cuGetErrorName(int, const char **name) { *name = "CUDA_ERROR"; return SUCCESS; }

int cuDevicePrimaryCtxRetain(void **context, int) {
    LOCKED;
    retained++;
    *context = &primary;
    return SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    LOCKED;
    return retained-- > 0 ? SUCCESS : INVALID_CONTEXT;
}
int cuCtxPushCurrent_v2(void *context) {
    if (context != &primary) return INVALID_CONTEXT;
    contexts.push_back(context);
    return SUCCESS;
}
int cuCtxPopCurrent_v2(void **context) {
    if (contexts.empty()) return INVALID_CONTEXT;
    *context = contexts.back();
    contexts.pop_back();
    return SUCCESS;
}

int cuMemAlloc_v2(Address *address, size_t bytes) {
    CURRENT;
    if (bytes > 1ull << 33) return OUT_OF_MEMORY;
    *address = (Address)malloc(bytes);
    memset((void *)*address, 0xaa, bytes);
    allocated++;
    return SUCCESS;
}
int cuMemFree_v2(Address address) {
    CURRENT;
    free((void *)address);
#ifndef FAULT_LEAK
    allocated--;
#endif
    return SUCCESS;
}
int cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
    CURRENT;
    *memory = malloc(bytes);
    allocated++;
    return SUCCESS;
}
int cuMemFreeHost(void *memory) {
    CURRENT;
    free(memory);
    allocated--;
    return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, Stream *stream) {
    CURRENT;
    return give(stream, [=] { memcpy((void *)to, from, bytes); });
}
int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, Stream *stream) {
    CURRENT;
#ifdef FAULT_NO_COPY_BACK
    bytes = 0;
#endif
    return give(stream, [=] { memcpy(to, (void *)from, bytes); });
}

int cuStreamCreate(Stream **stream, unsigned flags) {
    CURRENT;
    *stream = new Stream;
    allocated++;
    return flags == 1 ? SUCCESS : INVALID_VALUE;
}
int cuStreamDestroy_v2(Stream *stream) {
    CURRENT;
    delete stream;
    allocated--;
    return SUCCESS;
}
int cuStreamSynchronize(Stream *stream) {
    CURRENT;
    if (stream->is_capturing) {
        stream->is_invalid = true;
        return CAPTURE_UNSUPPORTED;
    }
    while (!stream->waiting.empty())
        run_one(stream);
    return SUCCESS;
}
int cuEventCreate(Event **event, unsigned flags) {
    CURRENT;
    *event = new Event;
    allocated++;
    return flags == 3 ? SUCCESS : INVALID_VALUE;
}
int cuEventRecord(Event *event, Stream *stream) {
    CURRENT;
    event->stream = stream;
    event->is_done = false;
    return give(stream, [=] { event->is_done = true; });
}
int cuEventSynchronize(Event *event) {
    CURRENT;
    while (!event->is_done)
        run_one(event->stream);
    return SUCCESS;
}
int cuEventDestroy_v2(Event *event) {
    CURRENT;
    delete event;
    allocated--;
    return SUCCESS;
}

int cuModuleLoadData(void **module, const void *image) {
    CURRENT;
    *module = new char;  // not counted: a network of the tests is never unloaded
    return memcmp(image, "\x7f" "ELF", 4) ? 200 : SUCCESS;
}
int cuModuleUnload(void *module) {
    CURRENT;
    delete (char *)module;
    return SUCCESS;
}
int cuModuleGetFunction(void **function, void *, const char *name) {
    CURRENT;
    const std::string asked = name;
    *function = asked == "letterbox" ? (void *)run_letterbox : (void *)run_network;
    return asked == "letterbox" || asked == "network" ? SUCCESS : NOT_FOUND;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned, Stream *stream, void **parameters, void **) {
    CURRENT;
    if (!gx || !gy || gz != 1 || bz != 1 || bx * by > 1024) return INVALID_VALUE;
    if (function == (void *)run_letterbox) {
        const Letterbox copy = *(const Letterbox *)parameters[0];
        if ((int)(gx * bx) < copy.canvas_columns || (int)(gy * by) < copy.canvas_rows)
            return INVALID_VALUE;
        return give(stream, [=] { run_letterbox(copy); });
    }
    const auto canvas = *(const unsigned char **)parameters[0];
    const auto map = *(unsigned char **)parameters[1];
    const int count = *(int *)parameters[2];
    return give(stream, [=] { run_network(canvas, map, count); });
}

int cuStreamBeginCapture_v2(Stream *stream, int mode) {
    CURRENT;
    stream->is_capturing = true;
    stream->is_invalid = false;
    stream->captured.clear();
    return mode == 1 ? SUCCESS : INVALID_VALUE;
}
int cuStreamEndCapture(Stream *stream, Graph **graph) {
    CURRENT;
    stream->is_capturing = false;
    *graph = nullptr;
    if (stream->is_invalid) return CAPTURE_INVALIDATED;
    *graph = new Graph{stream->captured};
    allocated++;
    return SUCCESS;
}
int cuGraphInstantiateWithFlags(Graph **made, Graph *graph, unsigned long long) {
    CURRENT;
    *made = new Graph(*graph);
    allocated++;
    return SUCCESS;
}
int cuGraphDestroy(Graph *graph) {
    CURRENT;
    delete graph;
    allocated--;
    return SUCCESS;
}
int cuGraphExecDestroy(Graph *graph) { return cuGraphDestroy(graph); }
int cuGraphLaunch(Graph *graph, Stream *stream) {
    CURRENT;
    const std::vector<Work> work = graph->work;
    return give(stream, [=] {
        for (const Work &each : work)
            each();
    });
}

// What the tests ask at the end: how much was not given back.
int dbrt_test_allocated() { return allocated; }

int cuGetProcAddress_v2(const char *name, void **function, int, unsigned long long, void *status) {
    *function = nullptr;
    for (const char *suffix : {"_v2", "WithFlags", ""})
        if ((*function = dlsym(RTLD_DEFAULT, (std::string(name) + suffix).c_str())))
            break;
    if (status)
        *(int *)status = *function ? 0 : 1;
    return *function ? SUCCESS : NOT_FOUND;
}
int cuGetProcAddress(const char *name, void **function, int version, unsigned long long flags) {
    return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}
}
