import type { components } from '@api/schema'

type Schemas = components['schemas']

export type Overview = Schemas['Overview']
export type Ledger = Schemas['Ledger']
export type LedgerTask = Schemas['LedgerTask']
export type LedgerCell = Schemas['Cell']
export type Update = Schemas['Update']
export type UpdateStage = Schemas['UpdateStage']
export type GateVerdict = Schemas['GateVerdict']
export type Model = Schemas['ModelView']
export type Deployment = Schemas['DeploymentView']
export type Rollout = Schemas['RolloutView']
export type Analysis = Schemas['AnalysisView']
export type Traffic = Schemas['Traffic']
export type Release = Schemas['ReleaseView']
export type LogLine = Schemas['LogLine']
