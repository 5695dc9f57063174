// Azure Managed Redis and the access of both programs. The service has one access policy so far, `default`: all permissions on all keys.
param location string
param tags object
param suffix string
param sku string
param clusteringPolicy string
param highAvailability bool
param accessKeys bool
param serverAPrincipalId string
param serverBPrincipalId string

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: 'redis-${suffix}'
  location: location
  tags: tags
  sku: {
    name: sku
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: highAvailability ? 'Enabled' : 'Disabled'
    publicNetworkAccess: 'Enabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: redis
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    clusteringPolicy: clusteringPolicy
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: accessKeys ? 'Enabled' : 'Disabled'
  }
}

resource serverAUses 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = {
  parent: database
  name: 'servera'
  properties: {
    accessPolicyName: 'default'
    user: {
      objectId: serverAPrincipalId
    }
  }
}

// dependsOn, because the service refuses a second change of a database while the first is in progress.
resource serverBUses 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = {
  parent: database
  name: 'serverb'
  properties: {
    accessPolicyName: 'default'
    user: {
      objectId: serverBPrincipalId
    }
  }
  dependsOn: [
    serverAUses
  ]
}

output name string = redis.name
output address string = '${redis.properties.hostName}:10000'
