# syntax=docker/dockerfile:1
# The operator's program as a container, for both architectures: docker buildx build --platform linux/amd64,linux/arm64 .
# Both stages are of Debian 12, so that the program finds the glibc that it was linked with.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
# rust-toolchain.toml would fetch a formatter and a linter, which nothing here needs.
ENV RUSTUP_TOOLCHAIN=1.95.0
ARG TARGETARCH
# The allocator is compiled with it. Of Debian's newest, not of a version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
COPY . .
# The caches are BuildKit's and in no layer: what was compiled once is not compiled again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,id=target-$TARGETARCH \
    cargo build --locked --release --package s3-sqs-bridge \
    && cp target/release/s3-sqs-bridge /usr/local/bin/s3-sqs-bridge

FROM debian:bookworm-slim
# Certificates are wanted new, not of a version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    # A volume that is mounted here for the first time has its owner.
    && install --directory --owner=65532 --group=65532 --mode=0700 /state
COPY --from=build /usr/local/bin/s3-sqs-bridge /usr/local/bin/s3-sqs-bridge
VOLUME /state
WORKDIR /state
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8080
# Of `serve`, which answers there. It is alive; whether all that it needs answers, /readyz says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["/usr/local/bin/s3-sqs-bridge"]
CMD ["--help"]
