# An image of the server: docker build -t certstream-tx .
# It runs without root, and needs nothing to write to but /data.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
COPY setup.py pyproject.toml README.md LICENSE /src/
COPY certstream_tx /src/certstream_tx
COPY twisted /src/twisted
# Wheels only: there is no compiler here, and none is needed on the platforms that have wheels.
RUN python -m venv --without-pip /opt/certstream \
 && python -m pip --python /opt/certstream/bin/python install \
        --no-cache-dir --disable-pip-version-check --only-binary :all: /src \
# The libraries' own tests are a quarter of what was installed.
 && find /opt/certstream -type d \( -name test -o -name tests \) -prune -exec rm -rf {} + \
# Twisted notes which plugins there are. Where the server runs it could not write that down.
 && /opt/certstream/bin/python -c \
        "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"

FROM python:${PYTHON}-slim
COPY --from=build /opt/certstream /opt/certstream
RUN install -d -o 10001 -g 10001 -m 0750 /data
ENV PATH=/opt/certstream/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CERTSTREAM_CT_LOG_STATE_FILE=/data/state.json
USER 10001:10001
WORKDIR /
VOLUME /data
# WebSocket and HTTP; lines over TCP, where protocols.tcp is on.
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=3 \
    CMD ["certstream-tx", "health"]
ENTRYPOINT ["twistd", "--nodaemon", "--pidfile=", "certstream"]
