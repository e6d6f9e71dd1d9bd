# The agent that reaches the hub from a member. Build in the root of the repository:
#   docker build -f deploy/docker/proxy-agent.Dockerfile -t koinon/proxy-agent:0.1.0 .
# Not built in CI, which has no container runtime.
FROM docker.io/library/rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package proxy-agent

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /src/target/release/proxy-agent /usr/local/bin/proxy-agent
ENTRYPOINT ["/usr/local/bin/proxy-agent"]
