# dbrt for machines without a GPU: OpenVINO on any x86-64 or arm64 CPU.
#
#   docker build -f docker/cpu.Dockerfile -t dbrt:cpu .
#   docker run --rm --read-only --tmpfs /tmp -v dbrt-cache:/cache dbrt:cpu detect --help

FROM python:3.12-slim-bookworm AS wheel
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /wheels /wheels
RUN python -m pip install --no-cache-dir -c /tmp/constraints.txt /wheels/*.whl \
    && rm -r /wheels /tmp/constraints.txt \
    && useradd --uid 10001 --create-home dbrt \
    && install -d -m 0700 -o dbrt -g dbrt /cache

# Engines and compiled kernels are made on the machine that runs them: a volume keeps them.
ENV DBRT_CACHE=/cache/engines \
    NUMBA_CACHE_DIR=/cache/kernels \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /cache
WORKDIR /home/dbrt
USER 10001
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s CMD ["dbrt", "doctor", "--json"]
ENTRYPOINT ["dbrt"]
CMD ["doctor"]
