# rgan-harmonize on the CPU; docs/containers.md says how to build and run it.
FROM python:3.13-slim-bookworm AS build
ARG EXTRAS=cpu,codecs,nifti

# Debian keeps one version of a package, so an install of a pinned one soon fails.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*

COPY . /source
WORKDIR /source
RUN python -m venv --without-pip /opt/rgan \
 && pip --python /opt/rgan/bin/python install --no-cache-dir --constraint constraints.txt \
    ".[$EXTRAS]"

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="rgan-harmonize" \
      org.opencontainers.image.description="Harmonize CT series across convolution kernels" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/rgan /opt/rgan
# /tmp is the one folder that is written to beside OUTPUT.
ENV PATH=/opt/rgan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    RGAN_CACHE=/tmp/rgan
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["rgan-harmonize"]
CMD ["--help"]
