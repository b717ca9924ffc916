# SPDX-License-Identifier: Apache-2.0
cp "$root/tests/format/recordings/1.0.nd" "$data/small.cpuprofile" .
recording=1.0.nd
unset "${!OTEL_@}"

try() {
	nodiag export "$@"
	echo "exit $?"
}

try --signal logs "$recording"
try --endpoint localhost:4318 "$recording"
try --endpoint http://user:secret@ "$recording"
try --header 'authorization: secret' "$recording"
try -d 10 "$recording"
try --compression br "$recording"
try --tail slow=10 "$recording"
try --tail errors, "$recording"
try --tail 1/0 "$recording"
try --dry-run 1
try 1 1
try none
try --signal metrics small.cpuprofile
OTEL_EXPORTER_OTLP_ENDPOINT=nowhere try "$recording"
OTEL_EXPORTER_OTLP_HEADERS='secret' try "$recording"
echo nothing >broken.nd
try --dry-run broken.nd
# What a queue cannot be.
echo file >queue
try --queue queue "$recording"
