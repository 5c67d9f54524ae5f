// Letterbox on the GPU: the twin of engine/letterbox.py, within one level of it.
//
// One thread makes one pixel of the canvas, straight from the frame; nothing is kept in between.
// Compiled at run time for the card that is there (engine/cuda/kernel.py); includes nothing, so
// that tests compile it as C++ too and compare it with its twin where there is no GPU.

// Filled in by engine/cuda/geometry.py: fields and padding are those of LETTERBOX there.
struct Letterbox {
    const unsigned char *frame;   // BGR, rows `pitch` bytes apart
    unsigned char *canvas;        // BGR, canvas_rows x canvas_columns, rows without gaps
    long long pitch;
    double step;                  // pixels of the halved frame per pixel of the canvas
    int halvings;                 // how often the frame is halved before it is sampled
    int rows, columns;            // of the halved frame
    int sampled_rows, sampled_columns;  // of the canvas; content beyond them repeats the last one
    int content_rows, content_columns;  // of the canvas; beyond them is fill
    int canvas_rows, canvas_columns;
    int is_line;                  // the halved frame is one pixel wide or high: averages along it
    unsigned char fill[4];        // BGR, and one that is not used
};

// Three channels in one word, ten bits each: the sum of four bytes fits, so one addition adds all.
typedef unsigned int Packed;
const Packed BYTES = 0xffu | 0xffu << 10 | 0xffu << 20;
const Packed TWOS = 2u | 2u << 10 | 2u << 20;

// A side of 2^32 pixels could not be halved more often.
const int MAX_HALVINGS = 32;

__device__ inline Packed mean_of_four(Packed sum) { return (sum + TWOS) >> 2 & BYTES; }

__device__ inline Packed frame_pixel(const Letterbox &p, long long row, long long column) {
    const unsigned char *at = p.frame + row * p.pitch + column * 3;
    return at[0] | (Packed)at[1] << 10 | (Packed)at[2] << 20;
}

// A pixel of the frame after `halvings` halvings. Each of them rounds, as the twin's does, so the
// means are made four by four: the pixels of a square come in Z order, and a quarter that is
// complete goes up one level as one value. Not inlined: five copies of it take NVRTC two seconds.
__device__ __noinline__ Packed often_halved_pixel(const Letterbox &p, int row, int column) {
    const long long top = (long long)row << p.halvings, left = (long long)column << p.halvings;
    Packed sums[MAX_HALVINGS + 1];
    for (int level = 0; level < p.halvings; level++)
        sums[level] = 0;
    for (unsigned long long i = 0;; i++) {
        long long y = 0, x = 0;
        for (int bit = 0; bit < p.halvings; bit++) {
            x |= (long long)(i >> 2 * bit & 1) << bit;
            y |= (long long)(i >> (2 * bit + 1) & 1) << bit;
        }
        Packed value = frame_pixel(p, top + y, left + x);
        for (int level = 0;; level++) {
            sums[level] += value;
            if ((i >> 2 * level & 3) != 3)
                break;
            value = mean_of_four(sums[level]);
            sums[level] = 0;
            if (level + 1 == p.halvings)
                return value;
        }
    }
}

__device__ inline Packed halved_pixel(const Letterbox &p, int row, int column) {
    if (p.halvings == 0)
        return frame_pixel(p, row, column);
    if (p.halvings > 1)
        return often_halved_pixel(p, row, column);
    const long long top = row * 2LL, left = column * 2LL;
    return mean_of_four(frame_pixel(p, top, left) + frame_pixel(p, top, left + 1) +
                        frame_pixel(p, top + 1, left) + frame_pixel(p, top + 1, left + 1));
}

__device__ inline float channel_of(Packed pixel, int channel) {
    return (float)(pixel >> 10 * channel & 0xff);
}

__device__ inline unsigned char to_byte(float value) { return (unsigned char)(value + 0.5f); }

// The two pixels that a sample lies between, and how near it is to the second, 0 to 1.
struct Between {
    int first, second;
    float weight;
};

__device__ inline Between between(int place, double step, int count) {
    const double exact = (place + 0.5) * step - 0.5;
    const long long first = (long long)(exact + 1) - 1;  // floor: exact is at least -0.5
    if (first < 0)
        return {0, 0, 0.0f};
    if (first >= count - 1)
        return {count - 1, count - 1, 0.0f};
    return {(int)first, (int)first + 1, (float)(exact - first)};
}

__device__ inline void sample_bilinear(const Letterbox &p, int row, int column,
                                       unsigned char *out) {
    const Between y = between(row, p.step, p.rows), x = between(column, p.step, p.columns);
    const Packed top_left = halved_pixel(p, y.first, x.first);
    const Packed top_right = x.weight > 0 ? halved_pixel(p, y.first, x.second) : top_left;
    const Packed low_left = y.weight > 0 ? halved_pixel(p, y.second, x.first) : top_left;
    const Packed low_right = y.weight <= 0   ? top_right
                             : x.weight <= 0 ? low_left
                                             : halved_pixel(p, y.second, x.second);
    for (int c = 0; c < 3; c++) {
        const float top = channel_of(top_left, c) * (1 - x.weight) +
                          channel_of(top_right, c) * x.weight;
        const float low = channel_of(low_left, c) * (1 - x.weight) +
                          channel_of(low_right, c) * x.weight;
        out[c] = to_byte(top * (1 - y.weight) + low * y.weight);
    }
}

// Means over the length that one pixel of the canvas covers, the ends counted by their share.
__device__ inline void sample_line(const Letterbox &p, int row, int column, unsigned char *out) {
    const bool lies = p.columns > p.rows;
    const int count = lies ? p.columns : p.rows;
    const double length = (double)count / (lies ? p.content_columns : p.content_rows);
    const double from = (lies ? column : row) * length, to = from + length;
    float sums[3] = {0, 0, 0};
    for (int i = (int)from; i < count && i < to; i++) {
        const Packed pixel = halved_pixel(p, lies ? 0 : i, lies ? i : 0);
        const double begin = i < from ? from : i, end = i + 1 > to ? to : i + 1;
        for (int c = 0; c < 3; c++)
            sums[c] += channel_of(pixel, c) * (float)((end - begin) / length);
    }
    for (int c = 0; c < 3; c++)
        out[c] = to_byte(sums[c] > 255 ? 255 : sums[c]);
}

extern "C" __global__ void letterbox(const Letterbox p) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= p.canvas_rows || column >= p.canvas_columns)
        return;
    unsigned char *out = p.canvas + ((long long)row * p.canvas_columns + column) * 3;
    if (row >= p.content_rows || column >= p.content_columns) {
        for (int c = 0; c < 3; c++)
            out[c] = p.fill[c];
    } else if (p.is_line) {
        sample_line(p, row, column, out);
    } else {
        sample_bilinear(p, row < p.sampled_rows ? row : p.sampled_rows - 1,
                        column < p.sampled_columns ? column : p.sampled_columns - 1, out);
    }
}
