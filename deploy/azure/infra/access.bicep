// The identities of the programs, and the registry of their images. Each program has its own identity, which may only pull images.
param location string
param tags object
param suffix string

var pullRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d') // AcrPull

resource serverA 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-server-a-${suffix}'
  location: location
  tags: tags
}

resource serverB 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-server-b-${suffix}'
  location: location
  tags: tags
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  name: 'cr${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Basic'
  }
  properties: {
    adminUserEnabled: false
  }
}

resource serverAPulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, serverA.id, pullRole)
  scope: registry
  properties: {
    roleDefinitionId: pullRole
    principalId: serverA.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource serverBPulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, serverB.id, pullRole)
  scope: registry
  properties: {
    roleDefinitionId: pullRole
    principalId: serverB.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output registryServer string = registry.properties.loginServer
output serverAIdentityId string = serverA.id
output serverAClientId string = serverA.properties.clientId
output serverAPrincipalId string = serverA.properties.principalId
output serverBIdentityId string = serverB.id
output serverBClientId string = serverB.properties.clientId
output serverBPrincipalId string = serverB.properties.principalId
