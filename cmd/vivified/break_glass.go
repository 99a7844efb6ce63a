package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// stepUpCommand proves again who is signed in, for what is dangerous.
func stepUpCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use: "step-up", Short: "Prove again that it is you, before what is dangerous", Args: exactly(0),
		Long: "What is dangerous, such as a quarantine or a change of roles, wants a recent proof: signing in, or this. Asks for the password, or reads it as the first line of standard input.",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := connect(server, environment())
			if err != nil {
				return err
			}
			secret, err := newTypist(c.InOrStdin(), c.ErrOrStderr()).ask(c.Context(), "Password")
			if err != nil {
				return err
			}
			var got struct {
				Until time.Time `json:"fresh_until"`
			}
			if err := cl.do(c.Context(), http.MethodPost, "/auth/step-up", map[string]string{"password": secret}, &got); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Confirmed until %s.\n", got.Until.Local().Format("15:04"))
			return err
		},
	}
	serverFlag(c, &server)
	return c
}

// breakGlassCommand makes an account for emergencies, or puts one under a new seal.
func breakGlassCommand() *cobra.Command {
	var server, account, rotate string
	var traits []string
	c := &cobra.Command{
		Use: "break-glass", Short: "Make an account for emergencies, whose password goes under seal", Args: exactly(0),
		Example: "  vivified users break-glass --account break-glass@example.com\n  vivified users break-glass --rotate 01a1f950-6944-7b1b-8ad6-85094b742401",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := connect(server, environment())
			if err != nil {
				return err
			}
			path, said := "/admin/break-glass", map[string]any{"username": account, "traits": traits}
			switch {
			case rotate != "" && account == "":
				path, said = path+"/"+url.PathEscape(rotate)+"/rotate", nil
			case account == "" || rotate != "":
				return usage{fmt.Errorf("say either --account, for a new one, or --rotate")}
			}
			var made struct {
				ID       string    `json:"id"`
				Username string    `json:"username"`
				Password string    `json:"password"`
				Expires  time.Time `json:"expires_at"`
			}
			if err := cl.do(c.Context(), http.MethodPost, path, said, &made); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Account   %s\nPassword  %s\nId        %s\nSealed until %s. Write the password down, seal it, and lock it away; it is not shown again.\n",
				plain(made.Username), plain(made.Password), plain(made.ID), made.Expires.Local().Format("2 January 2006"))
			return err
		},
	}
	serverFlag(c, &server)
	c.Flags().StringVar(&account, "account", "", "e-mail address of the new account; nothing is sent to it")
	c.Flags().StringSliceVar(&traits, "trait", nil, "trait of data it holds beside admin; may be given several times")
	c.Flags().StringVar(&rotate, "rotate", "", "id of an account to put under a new seal instead")
	return c
}
