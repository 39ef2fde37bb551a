# syntax=docker/dockerfile:1
# The operator's program as a container: docker buildx build --platform linux/amd64,linux/arm64 .
# Both stages are of Debian 12, so that the program finds the glibc that it was linked with.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
# rust-toolchain.toml would fetch a formatter and a linter, which nothing here needs.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
# The caches are BuildKit's and in no layer: what was compiled once is not compiled again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,id=target-$TARGETARCH \
    cargo build --locked --release --package s3-sqs-bridge \
    && cp target/release/s3-sqs-bridge /usr/local/bin/s3-sqs-bridge \
    && mkdir /state

# Nothing but the C library and certificates, and nobody but a user without rights.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/s3-sqs-bridge /usr/local/bin/s3-sqs-bridge
# A volume that is mounted here for the first time belongs to the same user.
COPY --from=build --chown=65532:65532 /state /state
VOLUME /state
WORKDIR /state
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/s3-sqs-bridge"]
CMD ["--help"]
