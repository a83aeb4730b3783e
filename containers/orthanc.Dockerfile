# Orthanc with rgan-harmonize beside it; docs/orthanc.md says how to build and run it.
ARG BASE=rgan:cpu
# hadolint ignore=DL3006
FROM $BASE
LABEL org.opencontainers.image.title="Orthanc with rgan-harmonize"
# Orthanc comes as Debian's own packages, with Debian's Python for its plugin.
USER 0:0
# Debian keeps one version of a package, so an install of a pinned one soon fails.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends orthanc orthanc-dicomweb orthanc-python \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --mode=0700 --owner=65532 --group=65532 /var/lib/rgan
# Without it DCMTK, which Orthanc sends and receives with, waits 80 ms for each slice.
ENV TCP_NODELAY=1
USER 65532:65532
ENTRYPOINT ["/usr/sbin/Orthanc"]
CMD ["/etc/rgan/orthanc.json"]
