"""moto with its judge at work: a request that is not signed, or not allowed to who signs it, is refused.

moto checks signatures, and actions against the policies of roles. What it knows differently from AWS, or not at all, is
put right here, so that a role can have the template's statements as they stand:

- names of actions: AWS judges a batch by the single action (SendMessageBatch by sqs:SendMessage), and Lambda's Invoke by
  lambda:InvokeFunction. Source: AWS Service Authorization Reference, "Actions, resources, and condition keys"
- resources of DynamoDB, Lambda and EventBridge, without which moto takes every request of them for one on anything
- the conditions dynamodb:LeadingKeys and events:source. A statement with another condition allows nothing here
- the address as it came: signatures are of `prefix=a%2Fb`, not of what it stands for
- answers as AWS writes them: what is denied in JSON, how a bucket is versioned, that it tells EventBridge
- functions are not run: each answers what redrive and jobs list take for success

It has no owner and no way to be asked without a signature but these two:

- POST /moto-api/role?name=NAME, a policy document: makes a role that may do this, and answers with its credentials
- GET /moto-api/decisions?name=NAME: what the role asked for so far, in that order, and whether it was allowed
"""

import json
import threading

from flask import request as came
from moto import server, settings
from moto.awslambda.responses import LambdaResponse
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.config import default_user_config
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.dynamodb.responses import DynamoHandler
from moto.events.responses import EventsHandler
from moto.iam import access_control
from moto.iam.models import iam_backends
from moto.moto_api._internal import urls
from moto.s3.responses import S3Response
from moto.sts.models import sts_backends

ALIASES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}

iam = iam_backends[ACCOUNT]["aws"]
decisions = {}
asked = threading.local()


def table(self):
    asks = json.loads(self.raw_body or "{}")
    name = asks.get("TableName")
    if name is None:
        return "*"
    arn = f"arn:aws:dynamodb:{self.region}:{ACCOUNT}:table/{name}"
    index = asks.get("IndexName")
    return f"{arn}/index/{index}" if index else arn


def bus(self):
    return f"arn:aws:events:{self.region}:{ACCOUNT}:event-bus/default"


def function(self):
    steps = self.raw_path.strip("/").split("/")
    kind, names = steps[1], steps[2:]
    if not names:
        return "*"
    kind = {"functions": "function", "event-source-mappings": "event-source-mapping"}[kind]
    return f"arn:aws:lambda:{self.region}:{ACCOUNT}:{kind}:{names[0]}"


def values(action, body):
    """What of a request conditions are about. The keys of these tables have one part."""
    if action in ("dynamodb:GetItem", "dynamodb:UpdateItem"):
        key = json.loads(body)["Key"]
        return {"dynamodb:LeadingKeys": [value for named in key.values() for value in named.values()]}
    if action == "events:PutEvents":
        return {"events:source": [entry.get("Source") for entry in json.loads(body)["Entries"]]}
    return {}


def applies(condition):
    for operator, wanted in condition.items():
        for key, listed in wanted.items():
            if operator != "ForAllValues:StringEquals" or key not in asked.values:
                return False
            if not set(asked.values[key]) <= set(listed):
                return False
    return True


def statement(self, action, resource="*", principal=None, given=None, moto=access_control.IAMPolicyStatement.is_action_permitted):
    # A role's trust is moto's own affair.
    if principal is None and not applies(self._statement.get("Condition", {})):
        return access_control.PermissionResult.NEUTRAL
    return moto(self, action, resource, principal, given)


class Denied(JsonRESTError):
    code = 403


def signed(self, moto=access_control.IAMRequestBase._create_aws_request):
    self._path = came.environ["RAW_URI"]
    return moto(self)


def judge(self, resource, moto=access_control.IAMRequestBase.check_action_permitted):
    self._action = ALIASES.get(self._action, self._action)
    asked.values = values(self._action, self._body)
    decision = {"action": self._action, "resource": resource, "allowed": False}
    who = self._access_key.arn.split("/")[1]
    decisions.setdefault(who, []).append(decision)
    try:
        moto(self, resource)
    except AccessDeniedError as error:
        raise Denied("AccessDeniedException", error.message)
    decision["allowed"] = True
    if self._action == "lambda:InvokeFunction" and self._headers.get("X-Amz-Invocation-Type") == "Event":
        decision["payload"] = json.loads(self._body or "null")


def trusting(name):
    return iam.create_role(name, json.dumps(ANYBODY), "/", None, "", [], None)


def document(name, inner):
    return f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{name}>'


def versioning(self):
    status = self.backend.get_bucket_versioning(self.bucket_name)
    return document("VersioningConfiguration", f"<Status>{status}</Status>" if status else "")


def notification(self, moto=S3Response.get_bucket_notification):
    told = self.backend.get_bucket_notification_configuration(self.bucket_name)
    if told is None or told.event_bridge is None:
        return moto(self)
    return document("NotificationConfiguration", "<EventBridgeConfiguration/>")


def invoke(self, *_, **__):
    return b'{"jobs": [], "batchItemFailures": []}'


def new_role(request, full_url, headers):
    name = request.args["name"]
    role = trusting(name)
    iam.put_role_policy(name, "may", request.data.decode())
    session = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name="us-east-1", role_session_name="test", role_arn=role.arn, policy=None, duration=3600, external_id=None
    )
    answer = {
        "accessKeyId": session.access_key_id,
        "secretAccessKey": session.secret_access_key,
        "sessionToken": session.session_token,
    }
    return 200, {}, json.dumps(answer)


def tell(request, full_url, headers):
    return 200, {}, json.dumps(decisions.get(request.args["name"], []))


settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
default_user_config["lambda"]["use_docker"] = False
DynamoHandler._determine_resource = table
LambdaResponse._determine_resource = function
EventsHandler._determine_resource = bus
LambdaSimpleBackend.invoke = invoke
S3Response.get_bucket_versioning = versioning
S3Response.get_bucket_notification = notification
access_control.IAMPolicyStatement.is_action_permitted = statement
access_control.IAMRequestBase._create_aws_request = signed
access_control.IAMRequestBase.check_action_permitted = judge
urls.url_paths["{0}/moto-api/role"] = new_role
urls.url_paths["{0}/moto-api/decisions"] = tell

if __name__ == "__main__":
    # Functions that are made here name it; nothing of them is run.
    trusting("function")
    server.main()
