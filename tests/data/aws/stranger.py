"""A script as somebody who knows AWS and nothing of this product would write it: boto3 and its environment."""

import json
import sys

import boto3

ec2, ssm, elb = boto3.client("ec2"), boto3.client("ssm"), boto3.client("elbv2")
route53, s3 = boto3.client("route53"), boto3.client("s3")
secrets, sts = boto3.client("secretsmanager"), boto3.client("sts")
found = {"account": sts.get_caller_identity()["Account"]}

exchange = {}
for page in ec2.get_paginator("describe_instances").paginate(
    Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
):
    for reservation in page["Reservations"]:
        for instance in reservation["Instances"]:
            names = [tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name"]
            if names[0].startswith("EX"):
                exchange[names[0]] = instance["InstanceId"]
found["exchange"] = sorted(exchange)
online = ssm.describe_instance_information(Filters=[{"Key": "PingStatus", "Values": ["Online"]}])
found["online"] = len(online["InstanceInformationList"])

secrets.create_secret(Name="exchange/operator", SecretString=json.dumps({"user": "operator"}))
found["secret"] = json.loads(secrets.get_secret_value(SecretId="exchange/operator")["SecretString"])["user"]
ssm.put_parameter(Name="/exchange/dag", Value="DAG1", Type="SecureString")
found["parameter"] = ssm.get_parameter(Name="/exchange/dag", WithDecryption=True)["Parameter"]["Value"]

bucket = {"LocationConstraint": "eu-west-1"}
s3.create_bucket(Bucket="exchange-output", CreateBucketConfiguration=bucket)
sent = ssm.send_command(
    InstanceIds=list(exchange.values()),
    DocumentName="AWS-RunPowerShellScript",
    Parameters={"commands": ["Get-Service -Name MSExchangeIS | ForEach-Object { [string]$_.Status }", "exit 0"]},
    OutputS3BucketName="exchange-output",
    TimeoutSeconds=60,
)["Command"]
for instance in exchange.values():
    ssm.get_waiter("command_executed").wait(CommandId=sent["CommandId"], InstanceId=instance)
told = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=exchange["EX1"])
found["store"] = told["StandardOutputContent"].strip()
keys = s3.list_objects_v2(Bucket="exchange-output", Prefix=sent["CommandId"])
found["objects"] = keys["KeyCount"]

(group,) = elb.describe_target_groups(Names=["ExchangeNodes"])["TargetGroups"]
target = {"TargetGroupArn": group["TargetGroupArn"], "Targets": [{"Id": exchange["EX1"], "Port": 443}]}
quick = {"Delay": 1, "MaxAttempts": 30}
elb.deregister_targets(**target)
elb.get_waiter("target_deregistered").wait(**target, WaiterConfig=quick)
elb.register_targets(**target)
elb.get_waiter("target_in_service").wait(**target, WaiterConfig=quick)
found["health"] = elb.describe_target_health(**target)["TargetHealthDescriptions"][0]["TargetHealth"]["State"]

(zone,) = route53.list_hosted_zones()["HostedZones"]
record = {"Name": "test.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
change = route53.change_resource_record_sets(
    HostedZoneId=zone["Id"], ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
)["ChangeInfo"]
route53.get_waiter("resource_record_sets_changed").wait(Id=change["Id"], WaiterConfig=quick)
answer = route53.test_dns_answer(HostedZoneId=zone["Id"], RecordName="test.example.com", RecordType="A")
found["answer"] = answer["RecordData"]

ec2.stop_instances(InstanceIds=[exchange["EX4"]])
ec2.get_waiter("instance_stopped").wait(InstanceIds=[exchange["EX4"]], WaiterConfig=quick)
try:
    ec2.stop_instances(InstanceIds=["i-00000000"])
except ec2.exceptions.ClientError as error:
    found["refused"] = error.response["Error"]["Code"]
sys.stdout.write(json.dumps(found))
