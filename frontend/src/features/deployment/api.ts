import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'

export const deploymentQuery = (model: string) =>
  queryOptions({
    queryKey: ['deployment', model],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/deployments/{model}', { params: { path: { model } }, signal })),
  })

export type ActionName = 'promote' | 'pause' | 'resume' | 'abort' | 'rollback'
export type Act = { model: string; action: ActionName; expected_revision: number; reason: string }

/** Asks for one move of traffic. The server refuses it (409) if the deployment changed since it was shown. */
export function act({ model, action, ...asked }: Act) {
  const options = { params: { path: { model } }, body: asked }
  switch (action) {
    case 'promote':
      return body(api.POST('/api/v1/deployments/{model}:promote', options))
    case 'pause':
      return body(api.POST('/api/v1/deployments/{model}:pause', options))
    case 'resume':
      return body(api.POST('/api/v1/deployments/{model}:resume', options))
    case 'abort':
      return body(api.POST('/api/v1/deployments/{model}:abort', options))
    case 'rollback':
      return body(api.POST('/api/v1/deployments/{model}:rollback', options))
  }
}
