import { Link, Outlet } from '@tanstack/react-router'
import { Fragment } from 'react'
import { Icon } from '@/components/Icon'
import { LiveBadge } from './LiveBadge'
import { ModelSwitcher } from './ModelSwitcher'
import { PaletteButton } from './PaletteButton'
import { MENU } from './pages'
import css from './Shell.module.css'
import { Shortcuts } from './Shortcuts'
import { ThemeToggle } from './ThemeToggle'

/** What stands around every page: brand, model, menu, live badge, theme. */
export function Shell() {
  return (
    <div className={css.shell}>
      <a className={css.skip} href="#main">
        Skip to content
      </a>
      <aside className={css.side}>
        <Link to="/" className={css.brand}>
          <img src="/favicon.svg" alt="" /> CLM
        </Link>
        <ModelSwitcher />
        <PaletteButton />
        <nav className={css.nav} aria-label="Pages">
          {MENU.map(({ section, pages }) => (
            <Fragment key={section}>
              {pages[0]?.name === section ? null : <p className={css.section}>{section}</p>}
              {pages.map((page) => (
                <Link
                  key={page.path}
                  to={page.path}
                  className={css.link}
                  activeOptions={{ exact: page.path === '/', includeSearch: false }}
                >
                  <Icon name={page.menu.icon} size={17} />
                  {page.name}
                </Link>
              ))}
            </Fragment>
          ))}
        </nav>
        <div className={css.foot}>
          <div className={css.tools}>
            <LiveBadge />
            <div>
              <Shortcuts />
              <ThemeToggle />
            </div>
          </div>
        </div>
      </aside>
      <main className={css.main} id="main" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  )
}
