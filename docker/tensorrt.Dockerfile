# dbrt on an NVIDIA GPU, on NVIDIA's TensorRT image. That image lies in NVIDIA's own registry: give
# its full name, registry first, in TENSORRT_IMAGE.
#
#   docker build -f docker/tensorrt.Dockerfile --build-arg TENSORRT_IMAGE=... -t dbrt:tensorrt .
#   docker run --rm --gpus all --read-only --tmpfs /tmp -v dbrt-cache:/cache dbrt:tensorrt \
#     build --size 736

ARG TENSORRT_IMAGE=nvidia/tensorrt:25.10-py3

# hadolint ignore=DL3006
FROM ${TENSORRT_IMAGE} AS wheel
WORKDIR /source
COPY . .
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

# hadolint ignore=DL3006
FROM ${TENSORRT_IMAGE}
COPY --from=wheel /wheels /wheels
# An environment that sees the image's tensorrt, and keeps the image's other packages as they are.
RUN python3 -m venv --system-site-packages /opt/dbrt \
    && /opt/dbrt/bin/python -m pip install --no-cache-dir /wheels/*.whl "cuda-bindings>=12.6" \
    && rm -r /wheels \
    && useradd --uid 10001 --create-home dbrt \
    && install -d -m 0700 -o dbrt -g dbrt /cache

# Engines are made for the card they run on: a volume keeps them.
ENV PATH=/opt/dbrt/bin:$PATH \
    DBRT_CACHE=/cache/engines \
    NUMBA_CACHE_DIR=/cache/kernels \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /cache
WORKDIR /home/dbrt
USER 10001
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s CMD ["dbrt", "doctor", "--json"]
ENTRYPOINT ["dbrt"]
CMD ["doctor"]
