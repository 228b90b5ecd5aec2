# One static binary in an empty image: no shell, no package manager, no root.
# Build with another toolchain image by --build-arg GO_IMAGE=…, into another base by RUN_IMAGE=….
ARG GO_IMAGE=golang:1.26
ARG RUN_IMAGE=scratch

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/carillon ./cmd/carillon

FROM ${RUN_IMAGE}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/carillon /carillon
# Both the node and its probe read CARILLON_LISTEN. An address that is not loopback is still refused
# until the node is given authentication or --insecure.
ENV CARILLON_LISTEN=0.0.0.0:8080
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 CMD ["/carillon", "health"]
ENTRYPOINT ["/carillon"]
CMD ["node"]
