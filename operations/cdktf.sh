#!/bin/sh
# cdktf, or the successor that EROS_CDK=cdktn names, with this checkout's Node, Terraform and, for the embedded
# environment, its endpoints. `make setup` links it as .venv/bin/cdktf, so that `cdktf plan eros-local-warehouse` works
# in an activated virtual environment.
set -eu
home=$(dirname "$(readlink -f "$0")")/..
home=$(cd "$home" && pwd)
# shellcheck source=operations/tools.sh
. "$home/operations/tools.sh"
if [ "${EROS_CDK:-cdktf}" = cdktn ]; then
    command_line=.cache/cdktn/node_modules/cdktn-cli/bundle/bin/cdktn.js
    install=operations/successor.sh
else
    command_line=$(echo node_modules/cdkt?-cli/bundle/bin/cdkt?.js) # cdktf, or cdktn once the repository has moved
    install="make setup"
fi
if [ ! -f "$command_line" ]; then
    echo "The command line is not installed: run \`$install\`" >&2
    exit 2
fi
exec node "$command_line" "$@"
