# publog as an image: the server, streams, batches, backfills and Beam's workers are one image with other arguments.
#
#     docker build --tag publog .
#     docker run --volume publog:/var/lib/publog --publish 127.0.0.1:8080:8080 publog
#     docker run --volume shard1:/var/lib/publog --env PUBLOG_METRICS=9100 \
#         --env HEALTH_URL=http://127.0.0.1:9100/metrics publog run --stream --shards 1/3 --log kafka://... --index http://...

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# The compiled modules; whichever compiler Debian has will do.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY requirements/bootstrap.txt requirements/image.txt requirements/
RUN python -m venv /build \
    && /build/bin/pip install --require-hashes --no-deps --only-binary :all: --requirement requirements/bootstrap.txt
# What publog runs on, Dask and traces too, changes less often than publog: a layer of its own.
RUN python -m venv /opt/publog \
    && /opt/publog/bin/pip install --require-hashes --no-deps --only-binary :all: --requirement requirements/image.txt
COPY . .
RUN /build/bin/python -m hatchling build --target wheel --directory /wheels \
    && /opt/publog/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:${PYTHON}
RUN useradd --uid 10001 --create-home --home-dir /var/lib/publog --shell /usr/sbin/nologin publog
COPY --from=build /opt/publog /opt/publog
ENV PATH=/opt/publog/bin:$PATH \
    PUBLOG_HOME=/var/lib/publog \
    PYTHONUNBUFFERED=1 \
    HEALTH_URL=http://127.0.0.1:8080/healthz
WORKDIR /var/lib/publog
VOLUME /var/lib/publog
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["publog"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
