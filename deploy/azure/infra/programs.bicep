// server-a as a job that is started by hand, server-b as an app that always runs, and the workspace for their logs.
param location string
param tags object
param suffix string
param redisName string
param redisAddress string
param scaleOnLag bool
param maxConsumers int
param count int
param segmentValues int
param registryServer string
param serverAImage string
param serverBImage string
param serverAIdentityId string
param serverAClientId string
param serverBIdentityId string
param serverBClientId string

var redisUrl = 'rediss://${redisAddress}/0'
var lagRule = {
  name: 'lag'
  custom: {
    type: 'redis-streams'
    metadata: {
      address: redisAddress
      enableTLS: 'true'
      stream: 'signals'
      consumerGroup: 'server-b'
      lagCount: '1'
      activationLagCount: '0'
    }
    auth: [
      {
        secretRef: 'redis-key'
        triggerParameter: 'password'
      }
    ]
  }
}
var loadRule = {
  name: 'load'
  custom: {
    type: 'cpu'
    metadata: {
      type: 'Utilization'
      value: '50'
    }
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' existing = {
  name: '${redisName}/default'
}

resource logs 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' = {
  name: 'cae-${suffix}'
  location: location
  tags: tags
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
  }
}

resource job 'Microsoft.App/jobs@2026-07-01' = {
  name: 'server-a-${suffix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'server-a' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${serverAIdentityId}': {}
    }
  }
  properties: {
    environmentId: environment.id
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 3600
      replicaRetryLimit: 0 // a retry would be a new run; `--resume` continues this one
      manualTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
      }
      registries: [
        {
          server: registryServer
          identity: serverAIdentityId
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'server-a'
          image: serverAImage // no arguments: `run` is the image's default, and the placeholder image of the first deployment does not know it
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
          env: [
            { name: 'SERVER_A_REDIS_URL', value: redisUrl }
            { name: 'SERVER_A_AUTH', value: 'entra' }
            { name: 'SERVER_A_COUNT', value: string(count) }
            { name: 'SERVER_A_SEGMENT_VALUES', value: string(segmentValues) }
            { name: 'SERVER_A_AWAIT_VERDICT_S', value: '600' }
            { name: 'AZURE_CLIENT_ID', value: serverAClientId }
          ]
        }
      ]
    }
  }
}

resource app 'Microsoft.App/containerApps@2026-07-01' = {
  name: 'server-b-${suffix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'server-b' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${serverBIdentityId}': {}
    }
  }
  properties: {
    environmentId: environment.id
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [
        {
          server: registryServer
          identity: serverBIdentityId
        }
      ]
      secrets: scaleOnLag ? [{ name: 'redis-key', value: database.listKeys().primaryKey }] : []
    }
    template: {
      terminationGracePeriodSeconds: 60
      containers: [
        {
          name: 'server-b'
          image: serverBImage
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
          env: [
            { name: 'SERVER_B_REDIS_URL', value: redisUrl }
            { name: 'SERVER_B_AUTH', value: 'entra' }
            { name: 'AZURE_CLIENT_ID', value: serverBClientId }
          ]
        }
      ]
      scale: {
        minReplicas: 1 // the first replica creates the consumer group; one must stay to process pending entries
        maxReplicas: maxConsumers
        pollingInterval: 5
        rules: [scaleOnLag ? lagRule : loadRule]
      }
    }
  }
}

output jobName string = job.name
output appName string = app.name
output environmentId string = environment.id
output environmentDomain string = environment.properties.defaultDomain
