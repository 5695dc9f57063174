// The live page as an app with an address on the Internet, with TLS; only who has the token of the link in its log gets in.
param location string
param tags object
param suffix string
param environmentId string
param environmentDomain string
param redisUrl string
param registryServer string
param serverBImage string
param serverBIdentityId string
param serverBClientId string

resource page 'Microsoft.App/containerApps@2026-07-01' = {
  name: 'page-${suffix}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${serverBIdentityId}': {}
    }
  }
  properties: {
    environmentId: environmentId
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: true
        targetPort: 8080
        transport: 'http'
        allowInsecure: false
      }
      registries: [
        {
          server: registryServer
          identity: serverBIdentityId
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'page'
          image: serverBImage
          args: ['page', '--listen', '0.0.0.0:8080']
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          env: [
            { name: 'SERVER_B_REDIS_URL', value: redisUrl }
            { name: 'SERVER_B_AUTH', value: 'entra' }
            { name: 'SERVER_B_ALLOW_HOST', value: 'page-${suffix}.${environmentDomain}' }
            { name: 'AZURE_CLIENT_ID', value: serverBClientId }
          ]
        }
      ]
      scale: {
        minReplicas: 1
        maxReplicas: 1 // each makes a token of its own
      }
    }
  }
}
