// Everything is in one resource group, which `azd down` removes. Never deployed by its authors; see ../README.md.
targetScope = 'subscription'

@description('Name of the azd environment; part of the resource group\'s name.')
param environmentName string

param location string

@description('Size of Azure Managed Redis, such as Balanced_B0 or MemoryOptimized_M10.')
param redisSku string

@allowed(['EnterpriseCluster', 'OSSCluster', 'NoCluster'])
@description('NoCluster works up to 25 GB only.')
param clusteringPolicy string

@description('Keep a copy of the data on a second node, which doubles the price.')
param highAvailability bool

@description('Scale server-b by the lag of the stream. KEDA can log in to Redis only with an access key, so this turns access keys on. Ignored with OSSCluster.')
param scaleOnLag bool

@description('Give each program only the permissions that it needs, by access strings, which are a preview. Otherwise both have all permissions.')
param leastRights bool

@description('Serve the live page at an address of its own. Only when the images are there, which is after the first deployment.')
param page bool

@minValue(1)
param maxConsumers int

@description('Number of values that a run of server-a writes.')
param count int

@description('Number of values in a segment; several server-b share the segments of a run.')
param segmentValues int

param serverAImage string
param serverBImage string

var tags = { 'azd-env-name': environmentName }
// Under OSSCluster the nodes announce addresses that their certificates do not name, so KEDA would have to skip verification.
var hasLagRule = scaleOnLag && clusteringPolicy != 'OSSCluster'
var suffix = uniqueString(subscription().id, environmentName, location)

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module access 'access.bicep' = {
  name: 'access'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
  }
}

module redis 'redis.bicep' = {
  name: 'redis'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    sku: redisSku
    clusteringPolicy: clusteringPolicy
    highAvailability: highAvailability
    accessKeys: hasLagRule
  }
}

module allRights 'all-rights.bicep' = if (!leastRights) {
  name: 'all-rights'
  scope: group
  params: {
    redisName: redis.outputs.name
    serverAPrincipalId: access.outputs.serverAPrincipalId
    serverBPrincipalId: access.outputs.serverBPrincipalId
  }
}

module onlyLeastRights 'least-rights.bicep' = if (leastRights) {
  name: 'least-rights'
  scope: group
  params: {
    redisName: redis.outputs.name
    clusteringPolicy: clusteringPolicy
    serverAPrincipalId: access.outputs.serverAPrincipalId
    serverBPrincipalId: access.outputs.serverBPrincipalId
  }
}

module programs 'programs.bicep' = {
  name: 'programs'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    redisName: redis.outputs.name
    redisAddress: redis.outputs.address
    scaleOnLag: hasLagRule
    maxConsumers: maxConsumers
    count: count
    segmentValues: segmentValues
    registryServer: access.outputs.registryServer
    serverAImage: serverAImage
    serverBImage: serverBImage
    serverAIdentityId: access.outputs.serverAIdentityId
    serverAClientId: access.outputs.serverAClientId
    serverBIdentityId: access.outputs.serverBIdentityId
    serverBClientId: access.outputs.serverBClientId
  }
  dependsOn: [
    allRights
    onlyLeastRights
  ]
}

module livePage 'page.bicep' = if (page) {
  name: 'page'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    environmentId: programs.outputs.environmentId
    environmentDomain: programs.outputs.environmentDomain
    redisUrl: 'rediss://${redis.outputs.address}/0'
    registryServer: access.outputs.registryServer
    serverBImage: serverBImage
    serverBIdentityId: access.outputs.serverBIdentityId
    serverBClientId: access.outputs.serverBClientId
  }
}

// The first output is where azd pushes the images; the commands of the README use the others.
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = access.outputs.registryServer
output AZURE_RESOURCE_GROUP string = group.name
output SERVER_A_JOB string = programs.outputs.jobName
output SERVER_B_APP string = programs.outputs.appName
output PAGE_APP string = 'page-${suffix}'
output PAGE_HOST string = 'page-${suffix}.${programs.outputs.environmentDomain}'
output REDIS_URL string = 'rediss://${redis.outputs.address}/0'
