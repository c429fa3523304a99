# Eyebright in a container: the base install and nothing else, as a user without rights.
#   docker build -t eyebright .
#   docker run --rm --network none -v "$PWD:/work" --user "$(id -u):$(id -g)" eyebright train photos
# A service in it is described in docs/serving.md. An extra: docker build --build-arg EXTRAS='[text]' -t eyebright .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=""
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN python -m venv /opt/eyebright \
 && /opt/eyebright/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt ".${EXTRAS}" \
 && /opt/eyebright/bin/eyebright --version

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/eyebright /opt/eyebright
ENV PATH="/opt/eyebright/bin:${PATH}" \
    EYEBRIGHT_CACHE=/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Whoever runs it may have any number: --user "$(id -u):$(id -g)" writes files that belong to you.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin eyebright \
 && mkdir --mode 1777 /cache /work
USER 10001
WORKDIR /work
# Only where --host says so does a service listen on it, and then it asks for tokens.
EXPOSE 8000
ENTRYPOINT ["eyebright"]
CMD ["--help"]
