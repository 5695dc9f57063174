// The access of both programs to the data without an access string: all permissions on all keys.
param redisName string
param serverAPrincipalId string
param serverBPrincipalId string

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' existing = {
  name: '${redisName}/default'
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
