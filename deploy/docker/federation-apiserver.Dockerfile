# The hub, and the webhook of the add-on form. Build in the root of the repository:
#   docker build -f deploy/docker/federation-apiserver.Dockerfile -t koinon/federation-apiserver:0.1.0 .
# Not built in CI, which has no container runtime.
FROM docker.io/library/rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package federation-apiserver

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /src/target/release/federation-apiserver /usr/local/bin/federation-apiserver
ENTRYPOINT ["/usr/local/bin/federation-apiserver"]
CMD ["serve"]
