# The sidecar's image: the daemon alone, as a user without rights. It needs no Kometa, no Docker socket and no capability.
# The worker has an image of its own (renderer/Dockerfile); docker-compose.yml joins the two. Build it with:
#
#     docker build -t kometa-sidecar:0.1.0 .
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/kometa-sidecar && /opt/kometa-sidecar/bin/pip install --no-cache-dir .

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/kometa-sidecar /opt/kometa-sidecar
# Mount points that any user may use; a new volume takes this mode over.
RUN mkdir -p /data /exchange && chmod 1777 /data /exchange

ENV PATH=/opt/kometa-sidecar/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    KOMETA_SIDECAR_DATA=/data \
    KOMETA_SIDECAR_ENGINE__KIND=socket \
    KOMETA_SIDECAR_ENGINE__EXCHANGE=/exchange \
    KOMETA_SIDECAR_WEB__HOST=0.0.0.0 \
    KOMETA_SIDECAR_WEB__PORT=8420
WORKDIR /data
USER 1000:1000
VOLUME ["/data", "/exchange"]
EXPOSE 8420
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8420/healthz', timeout=4).close()"]
ENTRYPOINT ["kometa-sidecar"]
CMD ["run", "/config"]
