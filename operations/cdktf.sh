#!/bin/sh
# cdktf with this checkout's Node, Terraform and, for the embedded environment, its endpoints. `make setup` links it as
# .venv/bin/cdktf, so that `cdktf plan eros-local-warehouse` works in an activated virtual environment.
set -eu
home=$(dirname "$(readlink -f "$0")")/..
home=$(cd "$home" && pwd)
# shellcheck source=operations/tools.sh
. "$home/operations/tools.sh"
exec node node_modules/cdktf-cli/bundle/bin/cdktf.js "$@"
