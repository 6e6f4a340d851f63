import { queryOptions } from '@tanstack/react-query'
import { api, body } from '@/lib/api/client'
import type { NewTask, TaskEdit } from '@/lib/api/types'

export const addTask = (model: string, task: NewTask) =>
  body(api.POST('/api/v1/models/{name}/tasks', { params: { path: { name: model } }, body: task }))

/** What is left out stays as it is. */
export const editTask = (model: string, task: string, changes: Partial<TaskEdit>) =>
  body(
    api.PATCH('/api/v1/models/{name}/tasks/{task}', {
      params: { path: { name: model, task } },
      body: changes as TaskEdit, // the API's description calls required what has a default
    }),
  )

/** The tasks with how many rows and held-out examples each has. */
export const tasksQuery = (model: string) =>
  queryOptions({
    queryKey: ['tasks', model],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/models/{name}/tasks', { params: { path: { name: model } }, signal })),
  })
