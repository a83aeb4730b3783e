# rgan-harmonize as a processing module, on top of rgan:cpu or rgan:cuda; see docs/containers.md.
ARG IMAGE=rgan:cpu
FROM ${IMAGE}
# Where MHub's containers have their folders. mercure names others when it runs the image.
ENV MERCURE_IN_DIR=/app/data/input_data \
    MERCURE_OUT_DIR=/app/data/output_data
ENTRYPOINT ["rgan-harmonize", "module"]
CMD []
