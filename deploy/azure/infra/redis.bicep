// Azure Managed Redis with one database.
param location string
param tags object
param suffix string
param sku string
param clusteringPolicy string
param highAvailability bool
param accessKeys bool

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

output name string = redis.name
output address string = '${redis.properties.hostName}:10000'
