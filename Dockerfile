# The service, from this checkout: docker build -t subpixel . && docker run --read-only --tmpfs /tmp -v subpixel:/data
# -v ./tokens:/run/tokens:ro -p 8000:8000 subpixel
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/subpixel && /opt/subpixel/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.13-slim
COPY --from=build /opt/subpixel /opt/subpixel
RUN useradd --system --no-create-home --home-dir /data subpixel && install -d -o subpixel -g subpixel /data
USER subpixel
ENV PATH=/opt/subpixel/bin:$PATH PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Any answer is one: below a --base-path this one is 404.
HEALTHCHECK CMD ["python", "-c", "from http.client import HTTPConnection as c; s = c('127.0.0.1', 8000, timeout=3); s.request('GET', '/healthz'); s.getresponse()"]
ENTRYPOINT ["subpixel", "serve", "--host", "0.0.0.0", "--data", "/data", "--token-file", "/run/tokens"]
