# Archipel as one static binary in an empty image: no shell, no package, no root.
#
#   docker build -t archipel .
#   docker run -p 127.0.0.1:8080:8080 -v archipel:/data archipel serve -demo
#
# compose.yaml runs it beside MongoDB, Meilisearch and Nominatim.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/archipel . \
 && install -d -m 700 -o 65532 -g 65532 /out/data

FROM scratch
# Certificates: peers, webhooks and geocoders are reached over HTTPS. The time zones are inside the binary.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/archipel /archipel
ENV ARCHIPEL_LISTEN=0.0.0.0:8080 ARCHIPEL_DATA=/data TMPDIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s CMD ["/archipel", "health"]
ENTRYPOINT ["/archipel"]
CMD ["serve"]
