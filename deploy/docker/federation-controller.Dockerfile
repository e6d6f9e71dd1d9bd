# The controller, for hubs of both forms. Build in the root of the repository:
#   docker build -f deploy/docker/federation-controller.Dockerfile -t koinon/federation-controller:0.1.0 .
# Not built in CI, which has no container runtime.
FROM docker.io/library/rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package federation-controller

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /src/target/release/federation-controller /usr/local/bin/federation-controller
ENTRYPOINT ["/usr/local/bin/federation-controller"]
