import '@fontsource-variable/inter/wght.css'
import './app/mantine.css'
import './app/theme.css'
import { createRoot } from 'react-dom/client'
import { App, makeClient } from './app/App'
import { makeRouter } from './app/router'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(<App router={makeRouter()} client={makeClient()} />)
