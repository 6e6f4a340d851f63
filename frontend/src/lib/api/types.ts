import type { components } from '@api/schema'

type Schemas = components['schemas']

export type Overview = Schemas['Overview']
export type Ledger = Schemas['LedgerOut']
export type LedgerTask = Schemas['LedgerTaskOut']
export type LedgerCell = Schemas['CellOut']
export type Update = Schemas['UpdateOut']
export type UpdateStage = Schemas['StageOut']
export type GateVerdict = Schemas['GateVerdictOut']
export type Model = Schemas['ModelOut']
export type Deployment = Schemas['DeploymentView']
export type Moved = Schemas['MovedView']
export type Rollout = Schemas['RolloutView']
export type Analysis = Schemas['VerdictView']
export type Traffic = Schemas['TrafficView']
export type Release = Schemas['ReleaseOut']
export type LogLine = Schemas['LogLine']
