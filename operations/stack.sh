#!/bin/sh
# Plan a synthesized stack with Terraform itself and print the plan as text: stack.sh plan STACK. The plan is kept in the
# stack's folder, with plan.empty if it changes nothing; stack.sh show STACK prints it as JSON.
set -eu
home=$(dirname "$(readlink -f "$0")")/..
home=$(cd "$home" && pwd)
# shellcheck source=operations/tools.sh
. "$home/operations/tools.sh"
cd "cdktf.out/stacks/$2"
case $1 in
plan)
    rm -f plan plan.empty plan.failed
    code=0
    "$TERRAFORM_BINARY_NAME" init -input=false -no-color >plan.log 2>&1 || code=1
    [ "$code" -ne 0 ] ||
        "$TERRAFORM_BINARY_NAME" plan -input=false -no-color -detailed-exitcode -out=plan >plan.log 2>&1 || code=$?
    cat plan.log
    case $code in
    0) : >plan.empty ;;
    2) ;;
    *) # Terraform also writes a plan that a guard forbids
        sed -n '/^Error: /,$p' plan.log >plan.failed
        exit 1
        ;;
    esac
    ;;
show) exec "$TERRAFORM_BINARY_NAME" show -json plan ;;
*) echo "Usage: stack.sh plan STACK, or stack.sh show STACK" >&2; exit 2 ;;
esac
