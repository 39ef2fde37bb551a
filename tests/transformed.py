"""What SAM's own transform makes of a template, and the permissions that AWS's resource registry says its kinds need.

    python3 transformed.py TEMPLATE

Prints JSON: `given` (names of parameters and rules), `resources` (logical id to kind), `needed` (kind to the actions of
its handlers, without those that only list).
"""

import json
import sys

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies(ManagedPolicyLoader):
    """The template names none, and asking for their list would need IAM."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def needed(kind):
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
    return sorted({action for name, handler in handlers.items() if name != "list" for action in handler["permissions"]})


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
for resource in template["Resources"].values():
    # Where `sam package` would have put the program.
    if "CodeUri" in resource.get("Properties", {}):
        resource["Properties"]["CodeUri"] = "s3://bucket/key"
given = sorted({*template["Parameters"], *template["Rules"]})
resources = {name: resource["Type"] for name, resource in transform(template, {}, NoManagedPolicies())["Resources"].items()}
json.dump({"given": given, "resources": resources, "needed": {kind: needed(kind) for kind in set(resources.values())}}, sys.stdout)
