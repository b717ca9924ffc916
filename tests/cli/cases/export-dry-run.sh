# SPDX-License-Identifier: Apache-2.0
# Nothing is sent, not even looked for.
unset "${!OTEL_@}"
export OTEL_RESOURCE_ATTRIBUTES='deployment.environment.name=test,service.version=7'
nodiag export --dry-run --endpoint 'http://user:secret@nowhere.invalid:1/base?key=secret' \
	"$root/tests/format/recordings/1.0.nd" | sed "s/[0-9]* bytes/N bytes/; s/\(sdk.version\)=.*/\1=V/"
nodiag export --dry-run "$data/small.cpuprofile" | grep profiles | sed 's/[0-9]* bytes/N bytes/'
OTEL_EXPORTER_OTLP_COMPRESSION=br nodiag export --dry-run --signal metrics \
	"$root/tests/format/recordings/1.0.nd" >/dev/null
