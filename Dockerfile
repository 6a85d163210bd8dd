# Two stages: build with the Swift standard library linked in, run on plain Debian without a compiler.
# The service writes only below /data, so the root file system may be read-only:
#   docker run --read-only -v berth-data:/data -p 8080:8080 berth
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources ./Sources
COPY Tests ./Tests
COPY Config ./Config
RUN swift build -c release --static-swift-stdlib --product berth \
    && install -D "$(swift build -c release --show-bin-path)/berth" /out/berth

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 libstdc++6 zlib1g curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin berth \
    && install -d -o berth -g berth /data
COPY --from=build /out/berth /usr/local/bin/berth
USER berth
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=20s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--max-time", "1", "http://127.0.0.1:8080/livez"]
ENTRYPOINT ["berth"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--data", "/data"]
