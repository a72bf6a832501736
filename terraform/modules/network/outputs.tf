output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses."
  value       = aws_vpc.this.cidr_block
}

output "subnets" {
  description = "Private subnets: zone to id and addresses."
  value       = { for zone, subnet in aws_subnet.private : zone => { id = subnet.id, cidr = subnet.cidr_block } }
}

output "s3_prefix_list_id" {
  description = "S3's addresses, as security groups name them."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
