# shellcheck shell=sh
# Sourced by cdktf.sh and stack.sh, with `home` set: this checkout's Node and Terraform and, for the embedded
# environment, its endpoints.
cd "${home:?}" || exit
PATH="$home/.venv/bin:$PATH"
EROS_ENV=${EROS_ENV:-local}
CHECKPOINT_DISABLE=1
export PATH EROS_ENV CHECKPOINT_DISABLE

# cdktf runs Terraform by the second name; terraform.sh runs the first, and sets the plugin cache itself.
EROS_TERRAFORM=${EROS_TERRAFORM:-${TERRAFORM_BINARY_NAME:-terraform}}
TERRAFORM_BINARY_NAME=$home/operations/terraform.sh
CDKTF_DISABLE_PLUGIN_CACHE_ENV=true
# `terraform init` writes the lock. What cdktf runs after it asks the registry even where a mirror has the provider.
CDKTF_SKIP_PROVIDER_LOCK=true
export EROS_TERRAFORM TERRAFORM_BINARY_NAME CDKTF_DISABLE_PLUGIN_CACHE_ENV CDKTF_SKIP_PROVIDER_LOCK

# `python -m local env` prints the variables that point Terraform to the embedded environment. A real project needs none.
settings=environments/$EROS_ENV.yaml
if [ ! -f "$settings" ]; then # a preview, NAME-NUMBER, uses the endpoint of its host environment
    beside=$(sed -n 's/^ *beside: *//p' "environments/${EROS_ENV%-*}.yaml" 2>/dev/null) || true
    settings=environments/$beside.yaml
fi
if grep -q '^endpoint:' "$settings" 2>/dev/null; then
    variables=$(python -m local env) || exit 2
    eval "$variables"
fi
