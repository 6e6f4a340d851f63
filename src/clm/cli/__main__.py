from clm.cli.main import main

main()
