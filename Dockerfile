# syntax=docker/dockerfile:1
# One static binary and the certificates to trust, nothing else: docs/deploy.md.

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates musl-tools \
 && rm -rf /var/lib/apt/lists/* \
 && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /src
# Cargo wants to see all packages of the workspace, whichever it builds.
COPY Cargo.toml Cargo.lock ./
COPY bench bench
COPY crates crates
COPY examples examples
COPY tests tests
# What was built is kept by the builder, for each architecture: after a change, dependencies are there already.
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=spillover-target-${TARGETARCH} \
    target="$(uname -m)-unknown-linux-musl" \
 && TARGET_CC=musl-gcc CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --locked \
    --package spillover-gateway --features mimalloc --target "$target" \
 && cp "target/$target/release/spillover" /spillover

FROM scratch
LABEL org.opencontainers.image.title="spillover" \
      org.opencontainers.image.description="One endpoint in front of several rate-limited LLM backends" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /spillover /spillover
# A number, for Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/spillover"]
