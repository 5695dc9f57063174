// The access of both programs with the rules of deploy/acl as access strings: only the commands that each sends, on its keys. A preview.
param redisName string
param clusteringPolicy string
param serverAPrincipalId string
param serverBPrincipalId string

// With OSSCluster the programs ask which shard holds a slot.
var addition = clusteringPolicy == 'OSSCluster' ? ' +cluster|slots' : ''
// An access string has neither the user's name nor its password, which Microsoft Entra ID replaces.
var rulesOfA = trim(replace(loadTextContent('../../acl/server-a.acl'), 'user server-a reset on >CHANGE-ME ', ''))
var rulesOfB = trim(replace(loadTextContent('../../acl/server-b.acl'), 'user server-b reset on >CHANGE-ME ', ''))

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' existing = {
  name: '${redisName}/default'
}

resource serverAUses 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2026-05-01-preview' = {
  parent: database
  name: 'servera'
  properties: {
    accessPolicyName: 'default'
    accessString: '${rulesOfA}${addition}'
    user: {
      objectId: serverAPrincipalId
    }
  }
}

// dependsOn, because the service refuses a second change of a database while the first is in progress.
resource serverBUses 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2026-05-01-preview' = {
  parent: database
  name: 'serverb'
  properties: {
    accessPolicyName: 'default'
    accessString: '${rulesOfB}${addition}'
    user: {
      objectId: serverBPrincipalId
    }
  }
  dependsOn: [
    serverAUses
  ]
}
